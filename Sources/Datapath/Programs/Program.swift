internal import Tables

/// Where a program runs, in the words of eBPF.
package enum Hook: UInt8, Sendable, CaseIterable {
    /// Before parsing: the frame as it was read.
    case xdp
    /// After parsing, on the way in.
    case ingress
    /// Before writing, on the way out.
    case egress

    /// The word that lists use.
    package var name: String {
        switch self {
        case .xdp: "xdp"
        case .ingress: "ingress"
        case .egress: "egress"
        }
    }
}

/// The stages of the pipeline as named programs; each is a file in `Stages`.
package enum Program: UInt8, Sendable, CaseIterable {
    /// Reads the headers and names their defects.
    case parse
    /// Turns what a client saw into what the backend had sent; in a replay only.
    case reconstruct
    /// Drops what cannot be right: defects, impossible and spoofed addresses.
    case screen
    /// Holds fragments, and lets them follow the first one of their datagram.
    case fragments
    /// Finds the flow of a packet.
    case track
    /// Finds the flow that an ICMP error is about.
    case related
    /// Finds the Service of a new flow, and a backend.
    case balance
    /// Finds the interface to leave by.
    case route
    /// Gives a new flow a reply tuple of its own, with an address of the node where the rules say so.
    case masquerade
    /// Enters a new flow.
    case commit
    /// Rewrites and sends a packet of a flow.
    case translate
    /// Sends an ICMP error back.
    case reject
    /// Answers a ping to the node (RFC 1122 section 3.2.2.6), and queries to the cluster's DNS.
    case answer
    /// Ends a TCP connection whose endpoint was deleted, with a RST to both ends.
    case reset

    /// The word that lists use.
    package var name: String {
        switch self {
        case .parse: "parse"
        case .reconstruct: "reconstruct"
        case .screen: "screen"
        case .fragments: "fragments"
        case .track: "track"
        case .related: "related"
        case .balance: "balance"
        case .route: "route"
        case .masquerade: "masquerade"
        case .commit: "commit"
        case .translate: "translate"
        case .reject: "reject"
        case .answer: "answer"
        case .reset: "reset"
        }
    }

    /// The hook it is attached to.
    package var hook: Hook {
        switch self {
        case .parse: .xdp
        case .reconstruct, .screen, .fragments, .track, .related, .balance: .ingress
        case .route, .masquerade, .commit, .translate, .reject, .answer, .reset: .egress
        }
    }
}

/// How often each program ran.
package struct ProgramCounters: ~Copyable {
    private var runs: FixedArray<UInt64>

    /// Counters at zero.
    package init() { runs = FixedArray(count: Program.allCases.count) }

    /// The packets that a program has seen.
    package subscript(program: Program) -> UInt64 { runs[Int(program.rawValue)] }

    @inline(__always) mutating func add(_ program: Program, _ count: Int = 1) {
        runs[Int(program.rawValue)] &+= UInt64(truncatingIfNeeded: count)
    }
}
