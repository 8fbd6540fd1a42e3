internal import Datapath
internal import Devices
internal import Glibc
internal import HTTPTypes
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import Services

/// Answers requests: finds what a path and a method ask for (docs/control.md is the contract).
///
/// A path has a version, `/v1`, which stays as it is but for keys that are added. What goes wrong before an answer has begun is
/// answered with a status and `{"error":"…"}`; later the connection just ends.
struct ControlRouter: Sendable {
    let context: ControlContext
    let logger: Logger

    /// The header of every answer.
    static let fields: HTTPFields = [.contentType: "application/json"]

    /// How long the list of the largest users may be.
    private static let topLimit = 1000

    /// What is listed as a whole, by its path.
    private static let lists = [
        "services", "endpoints", "counters", "drops", "interfaces", "routes", "programs", "maps",
    ]

    /// Answers one request.
    func respond(_ request: Request, _ writer: consuming ResponseWriter) async throws {
        var items = ItemWriter(writer)
        do {
            let parts = (request.head.path ?? "/").split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
            let query = try Query(parsing: parts.count > 1 ? parts[1] : "")
            if let document = try await answer(request.method, String(parts[0]), query, &items) {
                guard let writer = items.takeUnused() else { return }
                try await Self.write(.ok, Self.fields, document.line, to: writer)
            } else {
                try await items.finish()
            }
        } catch let fault as ControlFault {
            try await refuse(fault, &items)
        } catch let error as QueryError {
            try await refuse(.bad(error.problem), &items)
        } catch is WorkerGone {
            try await refuse(.ending, &items)
        }
    }

    private func refuse(_ fault: ControlFault, _ items: inout ItemWriter) async throws {
        // Where a part of the answer is out already, breaking off is all that is left.
        guard let writer = items.takeUnused() else { throw fault }
        var fields = Self.fields
        if !fault.allowed.isEmpty { fields[.allow] = fault.allowed.map(\.rawValue).joined(separator: ", ") }
        logger.debug("refused with \(fault.status.code): \(fault.message)")
        try await Self.write(fault.status, fields, fault.document, to: writer)
    }

    private static func write(
        _ status: HTTPResponse.Status,
        _ fields: HTTPFields,
        _ bytes: [UInt8],
        to writer: consuming ResponseWriter
    ) async throws {
        var fields = fields
        fields[.contentLength] = "\(bytes.count)"
        let body = try await writer.writeHead(HTTPResponse(status: status, headerFields: fields))
        var writing: any ResponseBodyWriter = body
        try await writing.write(ByteBuffer(bytes: bytes))
        try await writing.finish(nil)
    }

    /// Writes the items of a list, and returns nil, or returns a document.
    private func answer(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ query: Query,
        _ items: inout ItemWriter
    ) async throws -> JSONValue? {
        let names = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(String.init)
        guard names.first == "v1" else {
            throw ControlFault.notFound("\(path): there is nothing; paths begin with /v1")
        }
        let rest = Array(names.dropFirst())
        switch rest {
        case [], [""]:
            try allow([.get], method, query)
            return index
        case ["conntrack"]:
            if method == .delete { return try await flush(query) }
            try allow([.get, .delete], method)
            try await ConntrackResource(context).list(try filter(query), to: &items)
        case ["conntrack", "top"]:
            try allow([.get], method)
            return try await usage(query)
        case ["affinity"]:
            try allow([.get], method, query)
            try await AffinityResource(context: context).list(to: &items)
        case _ where rest.count == 2 && rest[0] == "maps":
            try allow([.get], method, query)
            try await MapsResource(context: context).dump(rest[1], to: &items)
        case ["version"]:
            try allow([.get], method, query)
            return version
        case ["health"]:
            try allow([.get], method, query)
            // The answer is the worker's: a stuck one gives none.
            return try await context.worker.ask { _ in .object([("status", .string("ok"))]) }
        case _ where rest.count == 1 && Self.lists.contains(rest[0]):
            try allow([.get], method, query)
            for item in try await self.items(rest[0]) {
                items.append(item)
                try await items.sendIfFull()
            }
        default: throw ControlFault.notFound("\(path): there is nothing")
        }
        return nil
    }

    private func items(_ list: String) async throws(WorkerGone) -> [JSONValue] {
        switch list {
        case "services": ServicesResource(context).services()
        case "endpoints": ServicesResource(context).endpoints()
        case "counters": try await CountersResource(context: context).counters()
        case "drops": try await CountersResource(context: context).drops()
        case "interfaces": try await InterfacesResource(context: context).interfaces()
        case "routes": InterfacesResource(context: context).routes()
        case "programs": try await ProgramsResource(context: context).list()
        default: try await MapsResource(context: context).list()
        }
    }

    /// Refuses methods that the path does not know, and, where one is given, a query that must be empty.
    private func allow(
        _ methods: [HTTPRequest.Method],
        _ method: HTTPRequest.Method,
        _ query: Query? = nil
    ) throws(ControlFault) {
        guard methods.contains(method) else {
            let words = methods.map(\.rawValue).joined(separator: " and ")
            throw ControlFault(
                status: .methodNotAllowed,
                message: "\(method.rawValue): the path knows \(words)",
                allowed: methods
            )
        }
        if let key = query?.items.first?.key { throw .bad("\(key): the path takes no query") }
    }

    /// The filter of a query; keys that are no filter go to `other`, which says whether it knows them.
    private func filter(
        _ query: Query,
        other: (Query.Item) throws(ControlFault) -> Bool = { _ throws(ControlFault) in false }
    ) throws(ControlFault) -> FlowFilter {
        var filter = FlowFilter()
        for item in query.items {
            do throws(FilterError) {
                if try filter.add(item.key, item.value) { continue }
            } catch {
                throw .bad("\(error.key)=\(item.value): is not \(error.expectation)")
            }
            if try !other(item) {
                throw .bad("\(item.key): is no filter; they are \(FlowFilter.keys.joined(separator: ", "))")
            }
        }
        return filter
    }

    private func flush(_ query: Query) async throws -> JSONValue {
        var flushesAll = false
        let filter = try filter(query) { item throws(ControlFault) in
            guard item.key == "all" else { return false }
            guard item.value == "true" else { throw .bad("all=\(item.value): is not true") }
            flushesAll = true
            return true
        }
        guard flushesAll || !filter.isEmpty else {
            throw ControlFault.bad("a filter is missing; all=true removes all flows")
        }
        guard !flushesAll || filter.isEmpty else { throw ControlFault.bad("all=true and a filter exclude each other") }
        return .object([("deleted", .number(try await ConntrackResource(context).flush(filter)))])
    }

    private func usage(_ query: Query) async throws -> JSONValue {
        var count = 10
        let filter = try filter(query) { item throws(ControlFault) in
            guard item.key == "n" else { return false }
            guard let number = Int(item.value), (1...Self.topLimit).contains(number) else {
                throw .bad("n=\(item.value): is not a number from 1 to \(Self.topLimit)")
            }
            count = number
            return true
        }
        return try await ConntrackResource(context).usage(filter, top: count)
    }

    private var index: JSONValue {
        let paths = (Self.lists + ["conntrack", "conntrack/top", "affinity", "maps/NAME", "version", "health"]).sorted()
        return .object([("paths", .array(paths.map { .string("/v1/\($0)") }))])
    }

    private var version: JSONValue {
        .object([
            ("version", .string(context.version)), ("api", .string("v1")),
            ("node", .string(context.cluster().node.name)), ("pid", .number(Int(getpid()))),
            ("uptimeSeconds", .number(Int((monotonicNanoseconds() - context.started) / 1_000_000_000))),
        ])
    }
}
