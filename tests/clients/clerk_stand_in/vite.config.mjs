// The frontend's own configuration, but for who stands in for Clerk.
import { mergeConfig } from "vite";
import own from "./vite.config.ts";

export default mergeConfig(own, {
	resolve: { alias: { "@clerk/clerk-react": process.env.CLERK_STAND_IN } },
});
