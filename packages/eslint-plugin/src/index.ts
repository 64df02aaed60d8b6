import type { AnyContext, AnyNode, Finding, Report, Rule } from "./tool.ts";
import { rules } from "./rules.ts";

export type { AnyContext, AnyNode, Finding, Report, Rule };
export { rules };

/**
 * A rule as far as ESLint's own types go: their context is one for every language there is, and ours is the one for
 * JavaScript.
 */
interface PluginRule extends Omit<Rule, "create"> {
  create(context: never): ReturnType<Rule["create"]>;
}

/** What ESLint's `plugins` and oxlint's `jsPlugins` take. */
interface Plugin {
  readonly meta: { readonly name: string; readonly version: string; readonly namespace: string };
  readonly rules: Record<string, PluginRule>;
  readonly configs: {
    /** Every rule as an error; for `eslint.config.js`. */
    readonly recommended: {
      readonly name: string;
      readonly plugins: Record<string, Plugin>;
      readonly rules: Record<string, "error">;
    };
  };
}

const plugin: Plugin = {
  meta: { name: "eslint-plugin-portcullis", version: "0.1.0", namespace: "portcullis" },
  rules,
  configs: {
    recommended: {
      name: "portcullis/recommended",
      // ESLint wants the plugin inside its own configuration.
      get plugins() {
        return { portcullis: plugin };
      },
      rules: Object.fromEntries(Object.keys(rules).map((id) => [`portcullis/${id}`, "error"] as const)),
    },
  },
};

export default plugin;
