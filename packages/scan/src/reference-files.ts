import { existsSync, realpathSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { decoded } from "./decoded.ts";

/**
 * Which files a description may refer to: JSON and YAML in its own folder and below, or anywhere in the project it lies in,
 * but for what begins with a dot. Whoever wrote a description may not be who scans with it; what it shows as an example is
 * sent to the API, and a reference to `~/.docker/config.json` must not send that along.
 *
 * @param base  path of the description
 * @returns whether a path or `file:` address may be read, links resolved
 */
export function referenceFiles(base: string): (url: string) => boolean {
  const folder = dirname(real(resolve(base)));
  const root = projectOf(folder) ?? folder;
  return (url) => {
    const path = pathOf(url);
    if (path === undefined || !/\.(?:json|ya?ml)$/i.test(path)) return false;
    const inside = relative(root, real(path));
    // What is not there is nobody's secret, and is said to be missing.
    return (
      !existsSync(path) || (!inside.startsWith(`..${sep}`) && inside.split(sep).every((part) => !part.startsWith(".")))
    );
  };
}

/** The nearest folder above that is a project's; a folder of downloads lies in none. */
function projectOf(folder: string): string | undefined {
  if (existsSync(join(folder, ".git")) || existsSync(join(folder, "package.json"))) return folder;
  const above = dirname(folder);
  return above === folder ? undefined : projectOf(above);
}

function pathOf(url: string): string | undefined {
  if (!/^file:/i.test(url)) return resolve(decoded(url));
  try {
    return fileURLToPath(url);
  } catch {
    return undefined;
  }
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
