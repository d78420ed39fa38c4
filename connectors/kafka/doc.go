// Package kafka is the edge to Kafka, on segmentio/kafka-go.
//
// Its rules, each with a test:
//
//   - A Sink's Write returns nil only when every record is on the log, acknowledged by all in-sync replicas.
//   - A Source's offsets move over an unbroken prefix of acknowledged records, of a partition that the group still assigns
//     to it, under the generation that assigned it. The group reader of kafka-go cannot keep this: after a partition is
//     lost its commits still succeed, under the new generation, and move the new owner's offset.
//   - Records that are gone before they were read (retention, a cut log) are counted and logged, never passed over in
//     silence; an offset above the end of the log stops the reader with an error.
//   - Memory is bounded: a source holds one response of each leader, and for each partition what two fetches gave and one
//     delivery, all limited by the configuration.
//
// Delivery is at least once: kafka-go has no idempotent producer, so a retry may write a record twice.
package kafka
