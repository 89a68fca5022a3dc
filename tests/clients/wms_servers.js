// Answers what the web frontend asks of /api/v1/wms-servers, which this server does not have yet.
const answers = {
	"/api/v1/wms-servers": [
		{
			id: "11111111-1111-4111-8111-111111111111",
			name: "Sea charts",
			base_url: "https://wms.example.org/charts",
			description: null,
			version: "1.3.0",
			service_title: "Sea charts",
			service_provider: "Chart office",
			layer_count: 1,
			cached_at: "2026-01-01T00:00:00Z",
			created_by: null,
			created_at: "2026-01-01T00:00:00Z",
		},
	],
	"/api/v1/wms-servers/11111111-1111-4111-8111-111111111111/layers": {
		server_id: "11111111-1111-4111-8111-111111111111",
		server_name: "Sea charts",
		base_url: "https://wms.example.org/charts",
		version: "1.3.0",
		layers: [
			{
				name: "depth",
				title: "Depth",
				abstract: "Depth in metres",
				queryable: true,
				bounds: [10, 54, 13, 58],
				crs: ["EPSG:3857"],
				styles: [],
				dimensions: [],
			},
		],
		cached_at: "2026-01-01T00:00:00Z",
	},
};
const asked = window.fetch.bind(window);
window.fetch = (address, options) => {
	const known = answers[new URL(address, window.location).pathname];
	return known
		? Promise.resolve(new Response(JSON.stringify(known), { headers: { "Content-Type": "application/json" } }))
		: asked(address, options);
};
