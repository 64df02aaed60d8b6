import type { Progress } from "@portcullis/scan";

/** Shows how far each scan has come, on one line that rewrites itself; a plain line per half where nobody watches. */
export function showProgress(
  names: readonly string[],
  stream: NodeJS.WriteStream,
): { update(name: string, at: Progress): void; end(): void } {
  const state = new Map(names.map((name) => [name, { done: 0, total: 0 }]));
  const isWatched = stream.isTTY && process.env["TERM"] !== "dumb";
  let drawn = 0;

  function draw(): void {
    const parts = [...state].map(([name, at]) => {
      const filled = Math.floor(shareOf(at) * barWidth);
      return `${name} ${"█".repeat(filled)}${"░".repeat(barWidth - filled)} ${percent(at).padStart(4)}`;
    });
    stream.write(`\r\u001b[2K${parts.join("   ")}`);
  }

  return {
    update(name, at) {
      const halves = Math.floor(shareOf(state.get(name) ?? at) * 2);
      state.set(name, { done: at.done, total: at.total });
      if (!isWatched) {
        if (Math.floor(shareOf(at) * 2) > halves) stream.write(`attacking ${name}: ${percent(at)}\n`);
        return;
      }
      if (Date.now() - drawn < 100) return;
      drawn = Date.now();
      draw();
    },
    end() {
      if (isWatched) stream.write("\r\u001b[2K");
    },
  };
}

const barWidth = 20;

type Done = Pick<Progress, "done" | "total">;

function shareOf({ done, total }: Done): number {
  return total === 0 ? 0 : done / total;
}

function percent(at: Done): string {
  return `${Math.floor(shareOf(at) * 100)}%`;
}
