import { styleText } from "node:util";

/** Terminal colours; plain text where the output is no terminal or NO_COLOR is set. */
export interface Colors {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
}

/** @param isTerminal  whether anybody sees colours */
export function colorsFor(isTerminal: boolean): Colors {
  const paint =
    (style: "bold" | "dim" | "red" | "green" | "yellow") =>
    (text: string): string =>
      isTerminal ? styleText(style, text, { validateStream: false }) : text;
  return { bold: paint("bold"), dim: paint("dim"), red: paint("red"), green: paint("green"), yellow: paint("yellow") };
}
