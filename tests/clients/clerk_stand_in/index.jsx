// Stands in for @clerk/clerk-react where Clerk cannot be reached: whoever the browser's storage
// names is signed in, with session tokens that the page's own server signs.
import { cloneElement, useEffect, useMemo, useState } from "react";

const CHOSEN = "stand-in-user";

function chosen() {
	return localStorage.getItem(CHOSEN);
}

async function getToken() {
	const name = chosen();
	if (!name) return null;
	const answer = await fetch(`/session-token?user=${encodeURIComponent(name)}`);
	return answer.ok ? answer.text() : null;
}

function signOut() {
	localStorage.removeItem(CHOSEN);
	window.dispatchEvent(new Event(CHOSEN));
	return Promise.resolve();
}

function useChosen() {
	const [name, setName] = useState(chosen);
	useEffect(() => {
		const look = () => setName(chosen());
		window.addEventListener(CHOSEN, look);
		return () => window.removeEventListener(CHOSEN, look);
	}, []);
	return name;
}

export function ClerkProvider({ children }) {
	return children;
}

export function useAuth() {
	const name = useChosen();
	return useMemo(
		() => ({ isLoaded: true, isSignedIn: !!name, userId: name, getToken, signOut }),
		[name],
	);
}

export function useUser() {
	const name = useChosen();
	return useMemo(() => {
		if (!name) return { isLoaded: true, isSignedIn: false, user: null };
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
		return { isLoaded: true, isSignedIn: true, user };
	}, [name]);
}

export function SignedIn({ children }) {
	return useChosen() ? children : null;
}

export function SignedOut({ children }) {
	return useChosen() ? null : children;
}

export function SignInButton({ children }) {
	return cloneElement(children, {
		onClick: () => {
			localStorage.setItem(CHOSEN, "anna");
			window.dispatchEvent(new Event(CHOSEN));
		},
	});
}

export function UserButton() {
	return <span>{useChosen()}</span>;
}
