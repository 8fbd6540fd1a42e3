internal import Datapath
internal import Devices
internal import Wire

/// The interfaces of the daemon with their counters, and the routes to them.
struct InterfacesResource {
    let context: ControlContext

    /// One item for each interface, in the order of the configuration.
    func interfaces() async throws(WorkerGone) -> [JSONValue] {
        let counters = try await context.worker.ask { [interfaces = context.interfaces] _ in interfaces.totals }
        let configuration = context.cluster().configuration
        let byLabel = Dictionary(counters.map { ($0.label, $0) }, uniquingKeysWith: { first, _ in first })
        return configuration.interfaces.map { interface in
            let port = byLabel[interface.label]
            return .object([
                ("interface", .string(interface.label)), ("name", .string(interface.name)),
                ("netns", .optional(interface.namespace)),
                ("role", .string(interface.isHost ? "host" : interface.isUplink ? "uplink" : "pod")),
                ("address", .optional(interface.address.map { "\($0.address)/\($0.prefixLength)" })),
                ("mtu", .number(interface.mtu)), ("gone", .bool(port?.isGone ?? true)),
                ("rxPackets", .number(Int(clamping: port?.framesRead ?? 0))),
                ("rxBytes", .number(Int(clamping: port?.bytesRead ?? 0))),
                ("txPackets", .number(Int(clamping: port?.framesWritten ?? 0))),
                ("txBytes", .number(Int(clamping: port?.bytesWritten ?? 0))),
                ("txLost", .number(Int(clamping: port?.framesLost ?? 0))),
            ])
        }
    }

    /// The routes, in the order of their prefixes.
    func routes() -> [JSONValue] { MapDumps.routes(context.cluster().interfaceTable(isReplay: false)) }
}
