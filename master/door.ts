/** A socket at which a master is found. */
export interface Door {
  /** Takes its name away: nobody finds it any more. Idempotent, as `close`. */
  withdraw(): void;
  /** Accepts nobody any more; those who are connected stay so. */
  close(): void;
}
