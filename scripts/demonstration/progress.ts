import type { Progress } from "@portcullis/scan";

/** Shows how far each scan has come, on one line that rewrites itself; a few plain lines where nobody watches. */
export function showProgress(
  names: readonly string[],
  stream: NodeJS.WriteStream,
): { update(name: string, at: Progress): void; end(): void } {
  const state = new Map(names.map((name) => [name, { done: 0, total: 0 }]));
  let drawn = 0;

  function draw(): void {
    const parts = [...state].map(([name, { done, total }]) => {
      const share = total === 0 ? 0 : done / total;
      const filled = Math.round(share * barWidth);
      return `${name} ${"█".repeat(filled)}${"░".repeat(barWidth - filled)} ${String(Math.round(share * 100)).padStart(3)}%`;
    });
    stream.write(`\r\u001b[2K${parts.join("   ")}`);
  }

  return {
    update(name, { done, total }) {
      state.set(name, { done, total });
      if (!stream.isTTY || Date.now() - drawn < 100) return;
      drawn = Date.now();
      draw();
    },
    end() {
      if (stream.isTTY) stream.write("\r\u001b[2K");
    },
  };
}

const barWidth = 20;
