import { afterEach, describe, expect, it } from "vitest";
import { brokenIn, closeSurfaces, scanSurface, type Surface, verdictOn } from "./surface.ts";
import type { Answered } from "./things.ts";

afterEach(closeSurfaces);

const scanHosts = (surface: Surface) => scanSurface(surface, ["host"]);
const misdirected: Answered = [421, { title: "Misdirected" }];

function serving(isServed: (host: string) => boolean, otherwise: Answered = misdirected): Surface {
  return { before: ({ request }) => (isServed(request.headers.host ?? "") ? undefined : otherwise) };
}

describe("the host probe, where no manifest says which names are served", () => {
  it("finds once that data is given away under a name nobody can serve", async () => {
    expect(brokenIn(await scanHosts({}))).toEqual([expect.stringMatching(/^host\/host-any: .*\.example" is served/)]);
  });

  it("holds where other names are refused", async () => {
    expect(brokenIn(await scanHosts(serving((host) => /^127\.0\.0\.1:\d+$/.test(host))))).toEqual([]);
  });

  it("finds that only the beginning of the name is compared", async () => {
    const result = await scanHosts(serving((host) => host.startsWith("127.0.0.1")));
    expect(brokenIn(result)).toEqual([expect.stringMatching(/^host\/host-suffix/)]);
  });

  it("takes another site's page under another name for what it is", async () => {
    const page: Answered = [200, { welcome: "to the default site" }];
    const result = await scanHosts(serving((host) => host.startsWith("127.0.0.1:"), page));
    expect(brokenIn(result)).toEqual([]);
    expect(verdictOn(result, "host-any")?.verdict).not.toBe("broken");
  });
});
