import { callerMutants } from "./mutants-callers.ts";
import { surfaceMutants } from "./mutants-surface.ts";
import { type Mutant, type Variant, variants } from "./mutant.ts";

/** Every mistake by its name. */
export const mutants = { ...callerMutants, ...surfaceMutants };

export type MutantName = keyof typeof mutants;

/** True in the one API that makes this mistake. */
export type Switch = (name: MutantName) => boolean;

/** One API to attack: a variant with one mistake, or its clean twin. */
export interface Subject {
  /** `express/jwt-exp`, or `express` for the clean twin. */
  readonly id: string;
  readonly variant: Variant;
  readonly name: MutantName | undefined;
  readonly mutant: Mutant | undefined;
}

/** The clean twins. */
export const twins: readonly Subject[] = variants.map((variant) => ({
  id: variant,
  variant,
  name: undefined,
  mutant: undefined,
}));

/** Every mutant in every variant that makes it. */
export const subjects: readonly Subject[] = variants.flatMap((variant) =>
  names().flatMap((name) => {
    const mutant: Mutant = mutants[name];
    return mutant.variants.includes(variant) ? [{ id: `${variant}/${name}`, variant, name, mutant }] : [];
  }),
);

/** The API of that id. @throws Error where there is none */
export function findSubject(id: string): Subject {
  const subject = [...twins, ...subjects].find((one) => one.id === id);
  if (subject === undefined) throw new Error(`no API is called "${id}"`);
  return subject;
}

/** The switch of one API. */
export function switchTo(on: MutantName | undefined): Switch {
  return (name) => name === on;
}

function names(): readonly MutantName[] {
  return Object.keys(mutants).filter((name): name is MutantName => name in mutants);
}
