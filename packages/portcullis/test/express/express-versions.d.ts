/** Express 4, as far as Express 5's types hold for it. */
declare module "express4" {
  export { default } from "express";
}

/** A router of Express 5's first year, which keeps no mount path as text. */
declare module "router20" {
  import type { Router } from "express";
  export default function make(): Router;
}
