import { type Answer, headerOf, mediaTypeOf } from "./answer.ts";
import type { ProbeContext } from "./context.ts";
import type { Trial } from "./exchange.ts";
import type { Outgoing } from "./fetcher.ts";
import { isLimited } from "./oracle.ts";
import { broken, held, inconclusive, type NamedOutcome, notApplicable, type Outcome } from "./probe.ts";
import { line } from "./timing.ts";

/** A place a text of ours goes to: the request that carries it there. */
export type Ask = (text: string) => Outgoing;

/** What a driver says of a query it cannot read; no API says it by itself. */
const driverText =
  /\b(?:SQLITE_ERROR|SqliteError|SQLSTATE|ER_PARSE_ERROR|SequelizeDatabaseError|QueryFailedError|PG::SyntaxError|ORA-\d{5})\b|near "[^"]*": syntax error|unrecognized token|syntax error at or near|unterminated quoted string|You have an error in your SQL syntax|Unclosed quotation mark|quoted string not properly terminated/i;

/**
 * One quote breaks the query, two of them mend it: told by the driver's text, or by an internal error that comes and goes
 * with them, twice, with different values. A place that merely dislikes quotes dislikes both.
 *
 * @throws what sending rejects with, such as `BudgetSpent`
 */
export async function quoteBreaks(context: ProbeContext, ask: Ask): Promise<Outcome> {
  const trials: Trial[] = [];
  const fails = async (text: string) => {
    const trial = await context.send("attack", ask(text));
    trials.push(trial);
    return trial.answer.status >= 500 && trial.answer.status !== 503
      ? "fails"
      : driverText.test(trial.answer.text)
        ? "says"
        : "";
  };
  for (const quote of ["'", '"']) {
    let broke = 0;
    for (let round = 0; round < 2; round += 1) {
      const word = `pc${context.random.text(8)}`;
      if ((await fails(`${word}${quote}`)) === "") break;
      if ((await fails(`${word}${quote}${quote}`)) !== "" || (await fails(word)) !== "") break;
      broke += 1;
    }
    if (broke === 2)
      return broken("a quote in the value breaks the query it stands in, and a second one mends it", trials.slice(-6));
  }
  const limited = trials.find(({ answer }) => isLimited(answer));
  if (limited !== undefined) return inconclusive("the target was limiting", [limited]);
  return held("a quote in the value is text", trials.slice(0, 2));
}

/** Pauses of the usual databases and of a shell, in seconds, as they are closed and opened again around a value. */
const pauses: readonly (readonly [where: string, text: (seconds: string) => string])[] = [
  ["PostgreSQL", (seconds) => `'||pg_sleep(${seconds})||'`],
  ["PostgreSQL", (seconds) => `';SELECT pg_sleep(${seconds})--`],
  ["MySQL", (seconds) => `' AND SLEEP(${seconds}) AND '1'='1`],
  ["SQL Server", (seconds) => `';WAITFOR DELAY '0:0:${seconds}'--`],
  ["a shell", (seconds) => `$(sleep ${seconds})`],
  ["a shell", (seconds) => `;sleep ${seconds};`],
];

/** Asked for first, seconds: long enough to stand out, short enough to be tried everywhere. */
const firstPause = 1;
/** What the answers are laid on a line by, seconds, in an order that drifts neither up nor down. */
const proof = ["0.3", "0", "0.9", "0.1", "0.6", "0"] as const;

/**
 * Asks for a pause, and where one comes, for pauses of different lengths by turns: the times must lie on a line with a
 * slope near one. A target that is merely slow lies on none.
 *
 * @throws what sending rejects with, such as `BudgetSpent`
 */
export async function pauseTaken(context: ProbeContext, ask: Ask): Promise<Outcome> {
  const word = `pc${context.random.text(6)}`;
  const plain = await context.send("positive", ask(word));
  for (const [where, text] of pauses) {
    const first = await context.send("attack", ask(`${word}${text(String(firstPause))}`));
    if (first.answer.ms < firstPause * 900 || first.answer.ms < plain.answer.ms + firstPause * 700) continue;
    const points: [number, number][] = [];
    for (const seconds of proof) {
      const trial = await context.send(
        "attack",
        ask(`${word}${text(where === "SQL Server" ? `0${seconds}`.slice(-4) : seconds)}`),
      );
      if (isLimited(trial.answer)) return inconclusive("the target was limiting", [trial]);
      points.push([Number(seconds) * 1000, trial.answer.ms]);
    }
    const { slope, correlation } = line(points);
    if (slope > 0.8 && slope < 2.5 && correlation > 0.97)
      return broken(`a pause inside the value is executed (${where}; slope ${slope.toFixed(2)})`, [plain, first]);
  }
  return held("a pause inside the value is not executed", [plain]);
}

/** Where a parameter takes an operator instead of a value: as a bracketed name in a query, or as an object in a body. */
export type AskOperator = (operator: "$ne" | "$eq", value: string) => Outgoing;

/**
 * NoSQL operators: "not equal to nonsense" must not find everything while "equal to nonsense" finds nothing and "equal to
 * the value" finds what the value finds.
 *
 * @param known    a value that finds something
 * @param content  what an answer says, without what changes by itself or repeats the request
 * @throws what sending rejects with, such as `BudgetSpent`
 */
export async function operatorTaken(
  context: ProbeContext,
  ask: Ask,
  askOperator: AskOperator,
  known: string,
  content: (answer: Answer) => string,
): Promise<Outcome> {
  const nonsense = () => `pc${context.random.text(14)}`;
  const found = await context.send("positive", ask(known));
  const nothing = await context.send("negative", ask(nonsense()));
  if (content(found.answer) === content(nothing.answer))
    return notApplicable("A known and an unknown value are answered alike, so an operator could not be seen.");
  const trials = [found, nothing];
  for (let round = 0; round < 2; round += 1) {
    const all = await context.send("attack", askOperator("$ne", nonsense()));
    trials.push(all);
    if (all.answer.status >= 400 || content(all.answer) === content(nothing.answer))
      return held("operators in the place of a value find nothing", trials);
    const same = await context.send("attack", askOperator("$eq", known));
    const none = await context.send("negative", askOperator("$eq", nonsense()));
    trials.push(same, none);
    if (content(same.answer) !== content(found.answer) || content(none.answer) !== content(nothing.answer))
      return held("operators in the place of a value are not executed", trials);
  }
  return broken("an operator in the place of a value is executed (NoSQL: $ne, $eq)", trials);
}

/**
 * Markup that comes back as it was sent, in an answer a browser would render: HTML, SVG, XML, or no media type at all
 * without `nosniff`. JSON is data, whatever stands in it.
 *
 * @throws what sending rejects with, such as `BudgetSpent`
 */
export async function markupReturned(context: ProbeContext, ask: Ask, read?: () => Promise<Trial>): Promise<Outcome> {
  const trials: Trial[] = [];
  for (let round = 0; round < 2; round += 1) {
    const mark = `<pc${context.random.text(6)} x="'>`;
    const sent = await context.send("attack", ask(mark));
    const shown = read === undefined ? sent : await read();
    trials.push(...(shown === sent ? [sent] : [sent, shown]));
    if (!shown.answer.text.includes(mark) || !isRendered(shown.answer))
      return held("markup comes back as data", trials);
  }
  return broken("markup comes back unescaped in an answer a browser renders", trials);
}

function isRendered(answer: Answer): boolean {
  const type = mediaTypeOf(answer);
  if (/^text\/html$|^application\/xhtml\+xml$|^image\/svg\+xml$|^(?:text|application)\/xml$/.test(type)) return true;
  return type === "" && headerOf(answer, "x-content-type-options")?.toLowerCase() !== "nosniff";
}

/** Quotes and markup at one place. Pauses are asked for apart: they need a target that does nothing else. */
export async function signalsOf(context: ProbeContext, name: string, ask: Ask): Promise<readonly NamedOutcome[]> {
  return [
    { check: `quote-${name}`, ...(await quoteBreaks(context, ask)) },
    { check: `markup-${name}`, ...(await markupReturned(context, ask)) },
  ];
}
