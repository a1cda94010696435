/**
 * Runs programs of a headrace server and streams what happens inside them.
 *
 * <pre>{@code
 * try (HeadraceClient client = HeadraceClient.connect("127.0.0.1:50051");
 *     RunStream run = client.run("composer", Map.of("question", "why?"))) {
 *   for (StreamEvent event : run) {
 *     switch (event.getEventCase()) {
 *       case TOKEN -> System.out.print(event.getToken().getChunk());
 *       case STATUS -> System.out.println(event.getStatus().getMessage());
 *       default -> {}
 *     }
 *   }
 *
 *   System.out.println(run.outputs().get("answer"));
 * }
 * }</pre>
 *
 * Events are the messages of the wire, from package dev.headrace.v1; batches of them come one by one.
 * What a run asks is answered by {@link dev.headrace.client.RunStream#answer}. A connection that breaks
 * is mended underneath, without loss; what cannot be mended is a {@link
 * dev.headrace.client.HeadraceException}.
 */
package dev.headrace.client;
