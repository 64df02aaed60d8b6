import { readFile } from "node:fs/promises";
import { ScanError } from "@portcullis/scan";
import { fingerprintOf, type GoneFinding } from "@portcullis/scan/reporters";
import { z } from "zod";

/**
 * What an earlier scan found broken, from its JSON report or from the lines it streamed.
 *
 * @throws ScanError when the file cannot be read or is neither
 */
export async function earlierFindings(file: string): Promise<readonly GoneFinding[]> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new ScanError(`cannot read the earlier scan ${file}`, { cause });
  }
  const verdicts = verdictsIn(text);
  if (verdicts === undefined)
    throw new ScanError(`${file} is no JSON report of an earlier scan (--report json=…, or --jsonl)`);
  const broken = verdicts.filter(({ verdict }) => verdict === "broken");
  const findings = broken.map(({ protection, check, operation, why }): GoneFinding => {
    const named = { protection, check, operation: operation ?? "" };
    return { ...named, why, fingerprint: fingerprintOf({ ...named }) };
  });
  return [...new Map(findings.map((finding) => [finding.fingerprint, finding])).values()];
}

const Verdict = z.object({
  protection: z.string(),
  check: z.string(),
  operation: z.string().optional(),
  verdict: z.enum(["broken", "held", "inconclusive", "not-applicable"]),
  why: z.string(),
});

const Document = z.object({ format: z.literal(1), verdicts: z.array(Verdict) });
const Line = Verdict.extend({ type: z.literal("verdict") });

function verdictsIn(text: string): readonly z.infer<typeof Verdict>[] | undefined {
  const document = Document.safeParse(read(text));
  if (document.success) return document.data.verdicts;
  const [first = "", ...rest] = text.split("\n");
  const start = z.object({ type: z.literal("start"), format: z.literal(1) }).safeParse(read(first));
  if (!start.success) return undefined;
  // The last line of a scan that was cut off may be half a line.
  return rest.flatMap((line) => {
    const verdict = Line.safeParse(read(line));
    return verdict.success ? [verdict.data] : [];
  });
}

function read(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}
