/**
 * Seconds that processors spend on `work`, in all threads of this process. Limits on them hold however busy the machine
 * is; limits on a clock do not.
 */
export function cpuSeconds(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  return since(before);
}

/** The same of work that is awaited. */
export async function cpuSecondsOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  return since(before);
}

function since(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}
