import { crc32 } from "../lib/crc32.ts";
import type { Dimension, Limiter, Tariff } from "./limiter.ts";
import { formatRate, type Rate } from "./rate.ts";

/** The limits of the whole API. */
export interface ApiRates {
  readonly global: Rate;
  readonly unproved: Rate;
  readonly address: Rate;
  readonly wideAddress: Rate;
  readonly caller: Rate;
  readonly tenant: Rate | undefined;
  readonly failures: Rate;
  /** Limits that single credentials may have, besides those of whoever they prove; each once. */
  readonly credentials: readonly Rate[];
}

/** One limit of a route. */
export interface PlannedLimit {
  readonly rate: Rate;
  readonly by: "caller" | "address" | "tenant" | "field";
  /** Body field, for `field`. */
  readonly field: string | undefined;
  /** Whether the field's value counts apart for each address it comes from. */
  readonly isPerAddress: boolean;
  readonly counts: "requests" | "failures";
  /** Routes that say the same count in one place. */
  readonly sharedAs: string | undefined;
}

/** What counting needs to know of a route. */
interface CountedRoute {
  /** Method and pattern; keeps their counters apart. Not its place, which is another in the next release. */
  readonly name: string;
  readonly limits: readonly PlannedLimit[];
}

/** Everything an API counts, prepared once: which dimensions there are and what each kind of call takes from them. */
export interface Tariffs {
  /** Keys: address, wide address, everyone. */
  readonly arrival: Tariff;
  /** For credentials proved before, where strangers have used up what `arrival` takes. Keys: everyone, wide address. */
  readonly knownArrival: Tariff;
  /** Key: address. */
  readonly addressFailures: FailureBudget;
  /** Key: caller. */
  readonly callerFailures: FailureBudget;
  forRoute(route: CountedRoute): RouteTariffs;
}

/**
 * Failures, counted twice over: a page of another site makes its visitors' browsers fail, and must not be able to spend
 * what is theirs. Who says that he is such a page has a quarter of the budget, so that saying so is worth little.
 */
export interface FailureBudget {
  readonly own: Tariff;
  /** For what `sentByOtherSite` (lib/other-site.ts) recognises. */
  readonly otherSites: Tariff;
}

/** What one route takes. */
export interface RouteTariffs {
  /** Keys: everyone, wide address, caller, tenant where the API limits tenants, then one per limit. */
  readonly proved: SettleTariff & {
    /** The same with one key more, the credential, for each rate that a credential may have, by its text. */
    readonly ofCredentials: ReadonlyMap<string, Tariff>;
  };
  /** Keys: everyone, then one per limit. */
  readonly unproved: SettleTariff;
  /** Limits by input fields, one decision for those that count requests and one for failures; undefined for none. */
  readonly fieldRequests: FieldTariff | undefined;
  readonly fieldFailures: FieldTariff | undefined;
}

/** Keys: one per limit. */
export interface FieldTariff {
  readonly tariff: Tariff;
  readonly limits: readonly PlannedLimit[];
}

interface SettleTariff {
  readonly tariff: Tariff;
  readonly limits: readonly PlannedLimit[];
  /** Limits that only count failures; one key each. */
  readonly tries: readonly { readonly tariff: Tariff; readonly limit: PlannedLimit }[];
}

/** The dimensions of an API, in order; routes with the same limits share a table and count apart by scope. */
export interface PlannedDimensions {
  readonly dimensions: readonly Dimension[];
  /** Index of the dimension for the n-th limit of a route. */
  indexOf(limit: PlannedLimit, place: number): number;
  /** Indexes of the dimensions of `ApiRates.credentials`, by the rate's text. */
  readonly ofCredentials: ReadonlyMap<string, number>;
}

const address = 0;
const wideAddress = 1;
const unprovedShare = 2;
const global = 3;
const provedAddress = 4;
const caller = 5;
const addressFailures = 6;
const callerFailures = 7;
const tenant = 8;

/** Lays out the dimensions of an API: the fixed ones, then one per distinct rate that routes declare. */
export function planDimensions(rates: ApiRates, routes: readonly CountedRoute[]): PlannedDimensions {
  const dimensions: Dimension[] = [];
  dimensions[address] = { name: "address", rate: rates.address };
  dimensions[wideAddress] = { name: "wide-address", rate: rates.wideAddress, advertised: false };
  // One counter for everybody tells one caller about the others, so it is never shown.
  dimensions[unprovedShare] = { name: "unproved", rate: rates.unproved, capacity: 1, advertised: false };
  dimensions[global] = { name: "global", rate: rates.global, capacity: 1, advertised: false };
  dimensions[provedAddress] = { name: "proved-address", rate: rates.wideAddress, advertised: false };
  dimensions[caller] = { name: "caller", rate: rates.caller };
  dimensions[addressFailures] = { name: "failures", rate: rates.failures };
  dimensions[callerFailures] = { name: "caller-failures", rate: rates.failures };
  dimensions[tenant] = {
    name: "tenant",
    rate: rates.tenant ?? rates.global,
    advertised: false,
    capacity: rates.tenant === undefined ? 1 : 16_384,
  };

  const ofCredentials = new Map<string, number>();
  for (const rate of rates.credentials) {
    const text = formatRate(rate);
    if (ofCredentials.has(text)) continue;
    ofCredentials.set(text, dimensions.length);
    const name = ofCredentials.size === 1 ? "credential" : `credential-${ofCredentials.size}`;
    dimensions.push({ name, rate });
  }

  const byRate = new Map<string, number>();
  const keyOf = (limit: PlannedLimit, place: number): string =>
    `${limit.rate.limit}/${limit.rate.windowMs}/${limit.by}/${limit.isPerAddress}/${limit.sharedAs === undefined ? place : "shared"}`;
  for (const route of routes) {
    route.limits.forEach((limit, place) => {
      const key = keyOf(limit, place);
      if (byRate.has(key)) return;
      byRate.set(key, dimensions.length);
      dimensions.push({ name: byRate.size === 1 ? "route" : `route-${byRate.size}`, rate: limit.rate });
    });
  }
  return { dimensions, ofCredentials, indexOf: (limit, place) => byRate.get(keyOf(limit, place)) ?? 0 };
}

/** Prepares the tariffs of an API over a limiter with {@link planDimensions}' dimensions. */
export function planTariffs(limiter: Limiter, planned: PlannedDimensions, rates: ApiRates): Tariffs {
  return {
    arrival: limiter.tariff([{ dimension: address }, { dimension: wideAddress }, { dimension: unprovedShare }]),
    knownArrival: limiter.tariff([{ dimension: global }, { dimension: provedAddress }]),
    addressFailures: failureBudget(limiter, addressFailures),
    callerFailures: failureBudget(limiter, callerFailures),
    forRoute(route) {
      const numbered = route.limits.map((limit, place) => ({
        limit,
        demand: { dimension: planned.indexOf(limit, place), scope: scopeOf(route, limit, place) },
      }));
      // Where tries are counted, guessing is what is bounded: nobody lets more pass because processes cannot agree.
      const isStrict = route.limits.some(({ counts }) => counts === "failures");
      const ofRequests = numbered.filter(({ limit }) => limit.by !== "field" && limit.counts === "requests");
      const tries = numbered
        .filter(({ limit }) => limit.by !== "field" && limit.counts === "failures")
        .map(({ limit, demand }) => ({ limit, tariff: limiter.tariff([demand], { isStrict: true }) }));
      const limits = ofRequests.map(({ limit }) => limit);
      const demands = ofRequests.map(({ demand }) => demand);
      const provedFixed = [{ dimension: global }, { dimension: provedAddress }, { dimension: caller }];
      if (rates.tenant !== undefined) provedFixed.push({ dimension: tenant });
      return {
        proved: {
          tariff: limiter.tariff([...provedFixed, ...demands]),
          ofCredentials: new Map(
            [...planned.ofCredentials].map(([text, dimension]) => [
              text,
              limiter.tariff([...provedFixed, ...demands, { dimension }]),
            ]),
          ),
          limits,
          tries,
        },
        unproved: { tariff: limiter.tariff([{ dimension: global }, ...demands], { isStrict }), limits, tries },
        fieldRequests: ofFields("requests"),
        fieldFailures: ofFields("failures"),
      };

      function ofFields(counts: PlannedLimit["counts"]): FieldTariff | undefined {
        const own = numbered.filter(({ limit }) => limit.by === "field" && limit.counts === counts);
        if (own.length === 0) return undefined;
        return {
          tariff: limiter.tariff(
            own.map(({ demand }) => demand),
            { isStrict },
          ),
          limits: own.map(({ limit }) => limit),
        };
      }
    },
  };
}

/**
 * The same for the same limit of the same route in every release: where two of them run beside each other, or one follows
 * the other, they count in one place.
 */
function scopeOf({ name }: CountedRoute, { by, field, isPerAddress, sharedAs }: PlannedLimit, place: number): number {
  const owner =
    sharedAs === undefined ? [name, by, field, isPerAddress, place] : [{ sharedAs }, by, field, isPerAddress];
  return crc32(encoder.encode(JSON.stringify(owner)));
}

const encoder = new TextEncoder();

/** Under a scope of its own and at four times the cost, so that neither table nor rate is needed twice. */
function failureBudget(limiter: Limiter, dimension: number): FailureBudget {
  const limit = limiter.dimensions[dimension]?.rate.limit ?? 1;
  return {
    own: limiter.tariff([{ dimension }]),
    otherSites: limiter.tariff([{ dimension, scope: 1, cost: Math.min(otherSitesCost, limit) }]),
  };
}

const otherSitesCost = 4;
