/** An id without an account, so that nothing on the machine belongs to it by accident. */
export const ordinaryId = 64_321;
