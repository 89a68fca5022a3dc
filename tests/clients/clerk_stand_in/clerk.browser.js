// Answered in place of Clerk's own script: whoever the browser's storage names is signed in, with
// session tokens from where this script came from.
(() => {
	const CHOSEN = "stand-in-user";
	const BEGUN = "stand-in-begun"; // when the session began, in seconds since 1970
	const origin = new URL(document.currentScript.src).origin;
	const listeners = new Set();
	let current = signedIn(localStorage.getItem(CHOSEN));

	function signedIn(name) {
		if (!name) return { client: {}, session: null, user: null, organization: null };
		const user = {
			id: `user_${name}`,
			fullName: name,
			firstName: name,
			lastName: null,
			username: name,
			createdAt: new Date(0),
			publicMetadata: { isAdmin: name === "admin" },
			emailAddresses: [{ emailAddress: `${name}@example.org` }],
		};
		const session = {
			id: `sess_${name}`,
			status: "active",
			user,
			lastActiveToken: { jwt: { claims: { sub: user.id } } },
			async getToken() {
				const query = new URLSearchParams({ user: name, begun: localStorage.getItem(BEGUN) });
				const answer = await fetch(`${origin}/session-token?${query}`);
				return answer.ok ? answer.text() : null;
			},
		};
		return { client: {}, session, user, organization: null };
	}

	function become(name) {
		if (name) {
			localStorage.setItem(CHOSEN, name);
			localStorage.setItem(BEGUN, Math.ceil(Date.now() / 1000));
		} else localStorage.removeItem(CHOSEN);
		current = signedIn(name);
		for (const listener of listeners) listener(current);
	}

	window.Clerk = {
		loaded: false,
		get client() {
			return current.client;
		},
		get session() {
			return current.session;
		},
		get user() {
			return current.user;
		},
		get organization() {
			return current.organization;
		},
		get isSignedIn() {
			return current.session !== null;
		},
		get status() {
			return this.loaded ? "ready" : "loading";
		},
		async load() {
			this.loaded = true;
		},
		on(event, listener, options) {
			if (event === "status" && options?.notify) listener(this.status);
		},
		off() {},
		addListener(listener) {
			listeners.add(listener);
			listener(current);
			return () => listeners.delete(listener);
		},
		async signOut() {
			become(null);
		},
		openSignIn() {
			become("anna");
		},
		mountUserButton(node) {
			node.textContent = current.user.username;
		},
		unmountUserButton(node) {
			node.textContent = "";
		},
	};
})();
