internal import Wire

/// The hosts of all captures: the node, its pods, a pod elsewhere, and the world beyond the uplink.
enum Hosts {
    /// The node that the captures are replayed as.
    static let node = IPv4Address(192, 0, 2, 10)
    /// The next router beyond the uplink.
    static let router = IPv4Address(192, 0, 2, 1)
    static let client = IPv4Address(10, 244, 0, 5)
    static let web1 = IPv4Address(10, 244, 0, 11)
    static let web2 = IPv4Address(10, 244, 0, 12)
    static let dns1 = IPv4Address(10, 244, 0, 53)
    static let dns2 = IPv4Address(10, 244, 1, 53)
    /// A pod of the other node.
    static let remoteWeb = IPv4Address(10, 244, 1, 21)
    static let outside1 = IPv4Address(203, 0, 113, 2)
    static let outside2 = IPv4Address(203, 0, 113, 7)
    static let stranger = IPv4Address(203, 0, 113, 66)
    static let webVIP = IPv4Address(10, 96, 0, 10)
    static let echoVIP = IPv4Address(10, 96, 0, 20)
    static let emptyVIP = IPv4Address(10, 96, 0, 30)
    static let remoteVIP = IPv4Address(10, 96, 0, 40)
    static let dnsVIP = IPv4Address(10, 96, 0, 53)
    static let balancerVIP = IPv4Address(198, 51, 100, 10)
    /// An address of the Service block that no Service has.
    static let nobodyVIP = IPv4Address(10, 96, 7, 7)
}

/// An address and a port.
struct Endpoint {
    let address: IPv4Address
    let port: UInt16

    init(_ address: IPv4Address, _ port: UInt16) {
        self.address = address
        self.port = port
    }
}
