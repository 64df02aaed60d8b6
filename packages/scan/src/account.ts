/** A user name and a password the API knows. */
export interface Account {
  readonly user: string;
  readonly password: string;
}
