/** Calls for runs that have one answer, for the client and for open runs alike. */

import type { Connection } from "./connection.js";
import type {
  CancelRunResponse,
  InputResolved,
  Run as RunRecord,
  SendInputRequest,
} from "./gen/headrace/v1/headrace.js";
import type { RecordOptions, RunFilters } from "./options.js";
import { listRequest, recordRequest } from "./requests.js";

/** Most that stopping a run may take when it is left. */
const GOODBYE_MS = 3_000;

/** The most runs that a server puts on one page. */
const LARGEST_PAGE = 1_000;

export async function getRun(connection: Connection, runId: string, options: RecordOptions): Promise<RunRecord> {
  const { run } = await connection.ask(connection.stub.getRun, recordRequest(runId, options), { runId });

  return run!;
}

/** Stops a run. Where it is not known yet, the one that comes with its id is refused. */
export function cancelRun(
  connection: Connection,
  runId: string,
  reason: string,
  timeoutMs?: number,
): Promise<CancelRunResponse> {
  const bound = timeoutMs === undefined ? {} : { timeoutMs };

  return connection.ask(connection.stub.cancelRun, { runId, reason }, { runId, ...bound });
}

/** Stops a run whose reader leaves; where this fails, its linger ends it. */
export async function stopRun(connection: Connection, runId: string): Promise<void> {
  await cancelRun(connection, runId, "the reader left", GOODBYE_MS).catch(() => {});
}

/** Ends a run if need be, and forgets it. */
export async function deleteRun(connection: Connection, runId: string): Promise<void> {
  await connection.ask(connection.stub.deleteRun, { runId }, { runId });
}

/** Answers a question, or declines to; gives how it ended. */
export async function sendInput(connection: Connection, request: SendInputRequest): Promise<InputResolved> {
  const { runId } = request;
  const { resolved } = await connection.ask(connection.stub.sendInput, request, { runId });

  return resolved!;
}

/** The newest runs that fit the filters, over as many pages as it takes. */
export async function listRuns(
  connection: Connection,
  { limit = 100, ...filters }: RunFilters,
): Promise<RunRecord[]> {
  if (!(limit >= 1)) {
    throw new RangeError(`limit must be at least 1, not ${limit}`);
  }

  const request = listRequest(filters);
  const runs: RunRecord[] = [];
  let pageToken = "";

  do {
    const pageSize = Math.min(Math.floor(limit) - runs.length, LARGEST_PAGE);
    const page = await connection.ask(connection.stub.listRuns, { ...request, pageSize, pageToken });
    runs.push(...page.runs);
    pageToken = page.nextPageToken;
  } while (pageToken && runs.length < limit);

  return runs;
}
