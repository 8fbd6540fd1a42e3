internal import Datapath
internal import Services

// The difference as one object; keys are those of `check` where they mean the same.
//
// - `frontends`: `added` and `removed`, each with `address`, `service`, `frontend` (its kind), `policy`, `affinitySeconds`
//   and `sourceRanges`; `changed`, each with `address`, `old` and `new`.
// - `backends`, one for each port of a Service: `service`, `protocol`, `added` and `removed` (each `backend` and whether it
//   is `local`), and how many there are then, `count`.
// - `allocations`: `kind`, `owner`, `old` and `new`, of which one may be null.
// - `flows`: `service`, `protocol`, `frontend` (null for all of the port), `backend` (null for what was passed on), the
//   `effect` (`removed`, `kept` or `reset`), and what happens to the `next` packet (`balanced`, `refused`, `noService`).

extension ClusterDifference {
    /// The difference as one object.
    package var json: JSONValue {
        .object([
            ("frontends", frontendsJSON), ("backends", .array(rules.endpoints.map(backendsJSON))),
            ("allocations", .array(allocations.map(allocationJSON))),
            (
                "flows",
                .array(
                    rules.consequences.map {
                        .object([
                            ("service", .string($0.service)), ("protocol", .string($0.transport)),
                            ("frontend", .optional($0.frontend)), ("backend", .optional($0.backend)),
                            ("effect", .string($0.effect.rawValue)), ("next", .string($0.next.rawValue)),
                        ])
                    }
                )
            ),
        ])
    }

    private var frontendsJSON: JSONValue {
        .object([
            ("added", .array(rules.added.map { .object([("address", .string($0.address))] + members($0)) })),
            ("removed", .array(rules.removed.map { .object([("address", .string($0.address))] + members($0)) })),
            (
                "changed",
                .array(
                    rules.changed.map { old, new in
                        .object([
                            ("address", .string(new.address)), ("old", .object(members(old))),
                            ("new", .object(members(new))),
                        ])
                    }
                )
            ),
        ])
    }

    private func members(_ row: RuleDifference.Row) -> [(key: String, value: JSONValue)] {
        [
            ("service", .string(row.service)), ("frontend", .string(row.kind.word)),
            ("policy", .string(row.isLocalPolicy ? "Local" : "Cluster")),
            ("affinitySeconds", row.affinitySeconds > 0 ? .number(Int(row.affinitySeconds)) : .null),
            ("sourceRanges", .array(row.sourceRanges.map { .string($0) })),
        ]
    }

    private func backendsJSON(_ endpoints: RuleDifference.Endpoints) -> JSONValue {
        func list(_ backends: [Backend]) -> JSONValue {
            .array(
                backends.map {
                    .object([("backend", .string("\($0.address):\($0.port)")), ("local", .bool($0.isLocal))])
                }
            )
        }
        return .object([
            ("service", .string(endpoints.service)), ("protocol", .string(endpoints.transport)),
            ("added", list(endpoints.added)), ("removed", list(endpoints.removed)), ("count", .number(endpoints.count)),
        ])
    }

    private func allocationJSON(_ change: AllocationChange) -> JSONValue {
        .object([
            ("kind", .string(change.kind)), ("owner", .string(change.owner)), ("old", .optional(change.old)),
            ("new", .optional(change.new)),
        ])
    }
}
