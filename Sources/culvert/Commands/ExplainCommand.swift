internal import ArgumentParser
internal import Datapath
internal import Kubernetes

/// `culvert explain`: a drop reason in words.
struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Explain a drop reason: what it means, usual causes, the rule behind it.",
        discussion: "Example:\n  culvert explain no_endpoints"
    )

    @Argument(help: "A reason as events and traces name it; without one, all are listed.")
    var reason: String?

    func run() throws {
        let reasons = DropReason.allCases.filter { $0 != .none }
        guard let reason else {
            let width = reasons.map(\.id.count).max() ?? 0
            for reason in reasons {
                let padding = String(repeating: " ", count: width + 2 - reason.id.count)
                try writeToStandardOutput("\(reason.id)\(padding)\(reason.explanation.meaning)\n")
            }
            return
        }
        guard let found = DropReason(id: reason) else {
            let hint = Suggestion.nearest(to: reason, in: reasons.map(\.id)).map { "did you mean \($0)?" }
            throw Failure.input(["explain \(reason): is no reason"], hint: hint ?? "culvert explain lists them all")
        }
        let text = found.explanation
        try writeToStandardOutput(
            "\(found.id)\n  \(text.meaning)\n\nUsual causes\n  \(text.causes)\n\nRule\n  \(text.rule)\n"
        )
    }
}

/// `culvert version`.
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

    func run() throws { try writeToStandardOutput("culvert \(culvertVersion)\n") }
}
