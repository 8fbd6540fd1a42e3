internal import Datapath
internal import Services
internal import Wire

/// The clients that are bound to a backend.
struct AffinityResource {
    let context: ControlContext

    /// One item for each client and ServicePort, in the order of their entries.
    func list(to items: inout ItemWriter) async throws {
        let names = context.cluster().registry.names
        let slice = Handed(AffinitySlice())
        repeat {
            _ = try await context.worker.ask { pipeline in pipeline.advance(slice) }
            for record in slice.value.records {
                let left = (record.deadline - min(slice.value.now, record.deadline)) / Timeouts.second
                items.append(
                    .object([
                        ("client", .string(record.client.description)),
                        ("service", Int(record.service) < names.count ? .string(names[Int(record.service)]) : .null),
                        ("backend", .string(record.backend.description)), ("expiresSeconds", .number(Int(left))),
                    ])
                )
                try await items.sendIfFull()
            }
        } while slice.value.next != nil
    }
}
