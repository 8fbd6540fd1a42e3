import Datapath
import TestSupport
import Wire

/// DNS messages to the responder, by UDP and by TCP: what comes back is a message, and no longer than it may be.
enum NameFuzzer {
    private static let table = World().names

    static func run(_ bytes: [UInt8]) {
        for (transport, limit) in [(NameTransport.datagram, 1472), (.stream, 65535), (.datagram, 40)] {
            guard let response = table.response(to: bytes, transport, limit: limit) else {
                let isAnswerable = bytes.count >= 12 && bytes[2] & 0x80 == 0
                precondition(!isAnswerable, "a query gets an answer")
                continue
            }
            precondition(response.count <= max(limit, 12), "an answer is longer than its limit")
            precondition(response[0] == bytes[0] && response[1] == bytes[1], "an answer has the query's identifier")
            guard let message = DNSDissection(response) else { preconditionFailure("an answer is no message") }
            precondition(message.isResponse && message.rest == 0)
            precondition(transport == .datagram || !message.isTruncated, "a stream has room")
        }
    }
}
