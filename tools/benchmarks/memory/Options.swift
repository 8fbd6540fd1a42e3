/// What the command line asks for.
struct Options {
    var scenario = Scenario.established
    /// How many flows there are; each is used equally often, in a shuffled order.
    var flows = 1000
    /// Over how many Services the flows are spread.
    var services = 1
    /// How many packets a round measures at least.
    var packets = 250_000
    var rounds = 15
    /// How many workers use the pipeline at the same time.
    var workers = 1
    /// Whether every worker uses all flows, and not only its own.
    var sharesFlows = false
    /// Whether the records are in a file on tmpfs, as those of a daemon with a state directory.
    var isPinned = false

    /// Nil when an argument is not understood.
    init?(_ arguments: [String]) {
        var rest = arguments.dropFirst()
        while let flag = rest.popFirst() {
            guard let value = rest.popFirst() else { return nil }
            if flag == "--case" {
                guard let known = Scenario(rawValue: value) else { return nil }
                scenario = known
                continue
            }
            guard let number = Int(value), number > 0 else { return nil }
            switch flag {
            case "--flows": flows = number
            case "--services": services = number
            case "--packets": packets = number
            case "--rounds": rounds = number
            case "--workers": workers = number
            case "--shared": sharesFlows = number == 1
            case "--pinned": isPinned = number == 1
            default: return nil
            }
        }
    }
}
