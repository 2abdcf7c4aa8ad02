// Two processes on one port; ending the first one ends them all.
import cluster from "node:cluster";

export function serveInCluster(makeApp) {
  const count = Number(process.env.BENCH_WORKERS);
  if (!cluster.isPrimary) {
    makeApp().listen(Number(process.env.BENCH_PORT), "127.0.0.1");
    return;
  }
  const workers = Array.from({ length: count }, () => cluster.fork());
  for (const name of ["SIGTERM", "SIGINT"]) {
    process.on(name, () => {
      for (const worker of workers) worker.process.kill("SIGKILL");
      process.exit(0);
    });
  }
}
