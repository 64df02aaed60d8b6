import { styleText } from "node:util";

/** Terminal colours; plain text where the output is no terminal or NO_COLOR is set. */
export interface Colors {
  bold(text: string): string;
  dim(text: string): string;
  /** What is there to be opened or pasted, and nothing else. */
  accent(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
}

/** @param isShown  whether anybody sees colours */
export function colorsFor(isShown: boolean): Colors {
  const paint =
    (style: "bold" | "dim" | "cyan" | "red" | "green" | "yellow") =>
    (text: string): string =>
      isShown ? styleText(style, text, { validateStream: false }) : text;
  return {
    bold: paint("bold"),
    dim: paint("dim"),
    accent: paint("cyan"),
    red: paint("red"),
    green: paint("green"),
    yellow: paint("yellow"),
  };
}
