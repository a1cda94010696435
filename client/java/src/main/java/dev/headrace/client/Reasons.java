// Generated from proto/headrace/v1/reasons.toml by `make reasons`: edit that.

package dev.headrace.client;

import java.util.Map;
import java.util.function.BiFunction;

/** The exception of each reason. */
final class Reasons {
  static final Map<String, BiFunction<String, CallStatus, HeadraceException>> EXCEPTIONS =
      Map.ofEntries(
          Map.entry("INPUT_INVALID", RequestRefusedException::new),
          Map.entry("REQUEST_INVALID", RequestRefusedException::new),
          Map.entry("PROGRAM_NOT_FOUND", RequestRefusedException::new),
          Map.entry("RUN_NOT_FOUND", RequestRefusedException::new),
          Map.entry("RUN_ID_REUSED", RequestRefusedException::new),
          Map.entry("REVISION_MISMATCH", RequestRefusedException::new),
          Map.entry("INPUT_NOT_FOUND", RequestRefusedException::new),
          Map.entry("INPUT_RESOLVED", RequestRefusedException::new),
          Map.entry("CURSOR_AHEAD", RequestRefusedException::new),
          Map.entry("UNAUTHENTICATED", RequestRefusedException::new),
          Map.entry("PERMISSION_DENIED", RequestRefusedException::new),
          Map.entry("QUOTA_EXCEEDED", RequestRefusedException::new),
          Map.entry("SERVER_BUSY", RequestRefusedException::new),
          Map.entry("DRAINING", RequestRefusedException::new),
          Map.entry("STORE_UNAVAILABLE", RequestRefusedException::new),
          Map.entry("STREAM_AGED", ServerUnreachableException::new),
          Map.entry("LM_RATE_LIMITED", RunFailedException::new),
          Map.entry("RUN_TOO_LARGE", RunFailedException::new),
          Map.entry("PREDICTION_TOO_LARGE", RunFailedException::new),
          Map.entry("LM_UNAVAILABLE", RunFailedException::new),
          Map.entry("LM_SERVER_ERROR", RunFailedException::new),
          Map.entry("LM_STREAM_BROKEN", RunFailedException::new),
          Map.entry("OWNER_LOST", RunFailedException::new),
          Map.entry("CONTEXT_TOO_LONG", RunFailedException::new),
          Map.entry("CONTENT_REFUSED", RunFailedException::new),
          Map.entry("LM_AUTH", RunFailedException::new),
          Map.entry("LM_BILLING", RunFailedException::new),
          Map.entry("LM_UNSUPPORTED", RunFailedException::new),
          Map.entry("LM_TIMEOUT", RunFailedException::new),
          Map.entry("RUN_TIMEOUT", RunFailedException::new),
          Map.entry("INPUT_EXPIRED", RunFailedException::new),
          Map.entry("INPUT_DECLINED", RunFailedException::new),
          Map.entry("LM_REQUEST_REJECTED", RunFailedException::new),
          Map.entry("PROGRAM_ERROR", RunFailedException::new),
          Map.entry("TOOL_ERROR", RunFailedException::new),
          Map.entry("OUTPUT_UNPARSABLE", RunFailedException::new),
          Map.entry("OUTPUT_UNSERIALISABLE", RunFailedException::new),
          Map.entry("PROGRAM_RESULT_INVALID", RunFailedException::new),
          Map.entry("RUN_CANCELLED", RunFailedException::new),
          Map.entry("SERVER_FAULT", ServerFaultException::new));

  private Reasons() {}
}
