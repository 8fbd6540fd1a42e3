internal import Tables

/// Where a program runs, in the words of eBPF.
package enum Hook: UInt8, Sendable, CaseIterable {
    /// Before parsing: the frame as it was read.
    case xdp
    /// After parsing, on the way in.
    case ingress
    /// Before writing, on the way out.
    case egress

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
    case parse, reconstruct, screen, fragments, track, related, balance, route, masquerade, commit, translate, reject,
        answer

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
        }
    }

    /// The hook it is attached to.
    package var hook: Hook {
        switch self {
        case .parse: .xdp
        case .reconstruct, .screen, .fragments, .track, .related, .balance: .ingress
        case .route, .masquerade, .commit, .translate, .reject, .answer: .egress
        }
    }
}

/// How often each program ran.
package struct ProgramCounters: ~Copyable {
    private var runs: FixedArray<UInt64>

    package init() { runs = FixedArray(count: Program.allCases.count) }

    /// The packets that a program has seen.
    package subscript(program: Program) -> UInt64 { runs[Int(program.rawValue)] }

    @inline(__always) mutating func add(_ program: Program, _ count: Int = 1) {
        runs[Int(program.rawValue)] &+= UInt64(truncatingIfNeeded: count)
    }
}
