/** Notes one problem of the policy at hand: which field, what is wrong, and what to write instead. */
export type Add = (field: string, text: string, fix: string) => void;
