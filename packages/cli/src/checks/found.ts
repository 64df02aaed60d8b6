/** Something that was found in a folder. */
export interface Found {
  /** Relative to the folder, with forward slashes. */
  readonly file: string;
  /** From 1 on. */
  readonly line: number;
  /** From 1 on. */
  readonly column: number;
  /** The line as it stands in the file. */
  readonly text: string;
  /** The id of the protection that is missing. */
  readonly protection: string;
  readonly problem: string;
  readonly fix: string;
  /** The page of the protection, in the project. */
  readonly page: string;
}

/** What one check has to say of a folder. */
export interface Checked {
  readonly found: readonly Found[];
  /** What was looked at, for the closing line: "14 files". */
  readonly lookedAt: string;
  /** What could not be looked at, and why; never silently left out. */
  readonly unread: readonly { readonly file: string; readonly why: string }[];
  /** What would stop the application's API from starting, as the library says it. */
  readonly problems?: readonly unknown[];
  /** What this check cannot see, for whoever reads the report; nothing to mend. */
  readonly notes?: readonly string[];
  /** What the policies add up to, where the check has loaded them. */
  readonly manifest?: unknown;
}

/** One kind of check; undefined where the folder has nothing of its kind. */
export type Check = (folder: string) => Promise<Checked | undefined>;
