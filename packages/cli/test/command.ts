import { execFile } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { description } from "../../scan/test/things.ts";

/** The command's file, for tests that start it and go on. */
export const command = join(import.meta.dirname, "../src/portcullis.ts");

/** How a run of it ended. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command to its end, as a person would. */
export function portcullis(
  args: readonly string[],
  { cwd, env = {} }: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Ran> {
  const all = ["--conditions=source", command, ...args];
  const options = { cwd, env: { ...process.env, ...env }, maxBuffer: 32 * 1024 * 1024 };
  return new Promise((resolve) => {
    execFile(process.execPath, all, options, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

/** Who owns things, as the command is told. */
export const people = ["--as", "alice=Bearer token-of-alice", "--as", "bob=Bearer token-of-bob"] as const;

/** A new folder with the description of things in it; `openapi` is its path. */
export async function folderWithDescription(): Promise<{ readonly folder: string; readonly openapi: string }> {
  const folder = await mkdtemp(join(tmpdir(), "portcullis-cli-"));
  const openapi = join(folder, "openapi.json");
  await writeFile(openapi, JSON.stringify(description));
  return { folder, openapi };
}

/** What strangers are answered where nobody asks who they are. */
export const toAnybody = ({ path }: { readonly path: string }) =>
  [200, path === "/me" ? { id: "alice" } : { items: [] }] as const;
