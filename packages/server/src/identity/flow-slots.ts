/**
 * Sign-ins that one browser may have under way at the same time. The cookies have fixed names, so that nobody fills a
 * browser with more of them than a request can carry, whatever makes it begin.
 */
const most = 5;

/** Where a browser keeps its sign-ins of one kind. */
export interface FlowSlots {
  /** The cookies' names. */
  readonly names: readonly string[];
  /**
   * Where the next one goes: where none is, else in place of the oldest.
   *
   * @param ages  when those that are under way began, by the cookie's name
   */
  next(ages: ReadonlyMap<string, number>): string;
}

/** @param prefix  `__Host-…`; a number follows */
export function flowSlots(prefix: string): FlowSlots {
  const names = Array.from({ length: most }, (_, place) => `${prefix}-${place + 1}`);
  // Tabs that begin at the same moment bring no cookies of each other; so each is given another place.
  let turn = 0;

  return {
    names,
    next(ages) {
      const inTurn = [...names.slice(turn), ...names.slice(0, turn)];
      turn = (turn + 1) % most;
      const free = inTurn.find((name) => !ages.has(name));
      if (free !== undefined) return free;
      return names.toSorted((a, b) => (ages.get(a) ?? 0) - (ages.get(b) ?? 0))[0] ?? prefix;
    },
  };
}
