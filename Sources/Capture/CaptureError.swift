/// Why a capture or a trace could not be read or written.
///
/// `description` is `FILE: WHY`, ready to stand behind `culvert: `.
package struct CaptureError: Error, Equatable, Sendable {
    /// What kind of failure it is, for callers that act on it.
    package enum Kind: Sendable {
        /// The file could not be opened or created.
        case open
        /// The file is not a capture, or one of a kind that is not read.
        case format
        /// The capture is damaged or cut; what came before the damage was delivered.
        case damaged
        /// The filter expression does not compile.
        case filter
        /// The options contradict each other.
        case usage
        /// Writing failed.
        case write
        /// Whoever read the other end of the pipe has gone away (EPIPE).
        case closedPipe
    }

    package let kind: Kind
    /// The file as the user named it, or `standard input`, `standard output`.
    package let file: String
    /// The reason, a phrase without a full stop.
    package let reason: String
    /// The frame number, from 1, of the packet at which it happened.
    package let packet: UInt64?

    package init(_ kind: Kind, file: String, reason: String, packet: UInt64? = nil) {
        self.kind = kind
        self.file = file
        self.reason = reason
        self.packet = packet
    }
}

extension CaptureError: CustomStringConvertible {
    package var description: String {
        guard let packet else { return "\(file): \(reason)" }
        return "\(file): packet \(packet): \(reason)"
    }
}
