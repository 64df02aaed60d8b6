/** Which requests were counted lately, for the evidence: a ring of fixed size. */
export interface RecentRequests {
  note(name: string, requestId: string | undefined): void;
  /** The newest five of this name, newest first. */
  of(name: string): readonly string[];
}

const places = 256;
const most = 5;

export function createRecentRequests(): RecentRequests {
  const ring: { readonly name: string; readonly requestId: string }[] = [];
  let next = 0;
  return {
    note(name, requestId) {
      if (requestId === undefined) return;
      ring[next] = { name, requestId };
      next = (next + 1) % places;
    },
    of(name) {
      const found: string[] = [];
      for (let back = 1; back <= ring.length && found.length < most; back++) {
        const one = ring[(next - back + places) % places];
        if (one?.name === name) found.push(one.requestId);
      }
      return found;
    },
  };
}
