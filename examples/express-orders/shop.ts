import { randomUUID } from "node:crypto";

/** Something anybody may look at. */
export interface Product {
  readonly sku: string;
  readonly name: string;
  readonly cents: number;
  /** What it cost us; nobody's business. */
  readonly costCents: number;
}

/** Something somebody has ordered. */
export interface Order {
  readonly id: string;
  readonly customerId: string;
  readonly sku: string;
  quantity: number;
  readonly status: "open" | "shipped";
  /** What the fraud check thinks; nobody's business. */
  readonly riskScore: number;
}

/** A remark on an order. */
export interface Note {
  readonly id: string;
  readonly orderId: string;
  readonly text: string;
}

/** The shop's data, in memory. */
export interface Shop {
  readonly products: readonly Product[];
  readonly orders: Map<string, Order>;
  readonly notes: Map<string, Note>;
}

/** A shop with two products, and an order of alice's and one of bob's. */
export function openShop(): Shop {
  const orders = ["alice", "bob"].map((customerId) => newOrder(customerId, "lamp", 1));
  return {
    products: [
      { sku: "lamp", name: "Lamp", cents: 4900, costCents: 1200 },
      { sku: "chair", name: "Chair", cents: 12900, costCents: 5100 },
    ],
    orders: new Map(orders.map((one) => [one.id, one])),
    notes: new Map(),
  };
}

/** An order as the shop stores it. */
export function newOrder(customerId: string, sku: string, quantity: number): Order {
  return { id: randomUUID(), customerId, sku, quantity, status: "open", riskScore: 0.1 };
}

/** A note as the shop stores it. */
export function newNote(orderId: string, text: string): Note {
  return { id: randomUUID(), orderId, text };
}
