internal import HTTPTypes

/// A request that is not answered with what it asked for: the status of HTTP, and why in a line.
struct ControlFault: Error, Equatable {
    var status: HTTPResponse.Status
    var message: String
    /// The methods that the path knows, for 405.
    var allowed: [HTTPRequest.Method] = []

    /// The request cannot be understood.
    static func bad(_ message: String) -> ControlFault { ControlFault(status: .badRequest, message: message) }

    /// There is nothing at the path.
    static func notFound(_ message: String) -> ControlFault { ControlFault(status: .notFound, message: message) }

    /// The worker does not answer any more.
    static let ending = ControlFault(status: .serviceUnavailable, message: "the daemon is ending")

    /// The document that goes with the status.
    var document: [UInt8] { JSONValue.object([("error", .string(message))]).line }
}
