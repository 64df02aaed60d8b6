import { existsSync } from "node:fs";
import { registerHooks } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ResolverFactory } from "oxc-resolver";

/**
 * Lets Node load modules written for a bundler: imports without an extension, folders, and `paths` of a tsconfig. What
 * Node finds by itself stays as it is. `server-only` and its like, which say where a module may be bundled, are empty.
 *
 * @param folder  of the application, whose tsconfig.json counts
 * @returns where a module that a file imports is; throws where there is none
 */
export function resolveLikeABundler(folder: string): (from: string, specifier: string) => string {
  const tsconfig = join(folder, "tsconfig.json");
  const resolver = new ResolverFactory({
    extensions: [".ts", ".tsx", ".mts", ".js", ".jsx", ".mjs", ".cjs", ".json"],
    extensionAlias: { ".js": [".ts", ".tsx", ".js"], ".mjs": [".mts", ".mjs"], ".cjs": [".cts", ".cjs"] },
    conditionNames: ["node", "import", "default"],
    ...(existsSync(tsconfig) ? { tsconfig: { configFile: tsconfig, references: "auto" } } : {}),
  });
  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (specifier === "server-only" || specifier === "client-only") return { url: empty, shortCircuit: true };
      try {
        return nextResolve(specifier, context);
      } catch (error) {
        const from =
          context.parentURL?.startsWith("file:") === true ? dirname(fileURLToPath(context.parentURL)) : folder;
        const { path } = resolver.sync(from, specifier);
        if (path === undefined) throw error;
        return { url: pathToFileURL(path).href, shortCircuit: true };
      }
    },
  });
  return function resolve(from, specifier) {
    const { path } = resolver.sync(dirname(from), specifier);
    if (path === undefined) throw new Error(`there is no ${specifier}`);
    return pathToFileURL(path).href;
  };
}

const empty = "data:text/javascript,export{}";

/** Reads the files `next build` takes variables from, in its order; what is set already stays. Nothing is expanded. */
export function loadEnvironment(folder: string): void {
  for (const name of [".env.production.local", ".env.local", ".env.production", ".env"]) {
    if (existsSync(join(folder, name))) process.loadEnvFile(join(folder, name));
  }
}
