package check

// Identifiers of checks, as Finding.Check has them. docs/troubleshooting.md
// explains each of them, and a test sees to that.
const (
	// The domain itself.
	domainInvalid      = "domain-invalid"
	domainPublicSuffix = "domain-public-suffix"
	domainOwnZone      = "domain-own-zone"

	// The CNAME at _acme-challenge.<domain>.
	cnameFine         = "cname"
	cnameMissing      = "cname-missing"
	cnameElsewhere    = "cname-elsewhere"
	cnameOtherScope   = "cname-other-scope"
	cnameNameDoubled  = "cname-name-doubled"
	cnameValueDoubled = "cname-value-doubled"
	cnameMisplaced    = "cname-misplaced"
	cnameMisspelt     = "cname-misspelt"
	cnameIsTXT        = "cname-is-txt"
	cnameProxied      = "cname-proxied"
	cnameWildcard     = "cname-wildcard"
	cnameTwo          = "cname-two"
	cnameLoop         = "cname-loop"
	cnameUnknown      = "cname-unknown"

	// What surrounds the CNAME.
	challengeDelegated  = "challenge-delegated"
	txtBeside           = "txt-beside"
	dnssecBogus         = "dnssec-bogus"
	cnameCached         = "cname-cached"
	cnameResolver       = "cname-resolver"
	authoritativeDiffer = "authoritative-differ"
	caaFine             = "caa"
	caaForbids          = "caa-forbids"
	caaAccount          = "caa-account"
	caaUnknown          = "caa-unknown"

	// The record of dns-persist-01, a preview.
	persistFine      = "persist"
	persistMissing   = "persist-missing"
	persistMisplaced = "persist-misplaced"
	persistMalformed = "persist-malformed"
	persistAccount   = "persist-account"
	persistWildcard  = "persist-wildcard"
	persistUntil     = "persist-until"
	persistUnknown   = "persist-unknown"

	// The delegation of our zone, as its parent has it.
	delegationFine    = "delegation"
	delegationMissing = "delegation-missing"
	delegationDiffers = "delegation-differs"
	delegationUnknown = "delegation-unknown"
	delegationSigned  = "delegation-signed"
	glueMissing       = "glue-missing"
	glueDiffers       = "glue-differs"
	dsFine            = "ds"
	dsDiffers         = "ds-differs"
	dsMissing         = "ds-missing"

	// The names of our nameservers.
	nameserverFine    = "nameserver"
	nameserverMissing = "nameserver-missing"
	nameserverCNAME   = "nameserver-cname"
	nameserverDiffers = "nameserver-differs"
	nameserverPrivate = "nameserver-private"
	nameserverUnknown = "nameserver-unknown"

	// Each address of our nameservers.
	serverFine             = "server"
	serverUDP              = "server-udp"
	serverTCP              = "server-tcp"
	serverNoRoute          = "server-no-route"
	serverPrivate          = "server-private"
	serverNotAuthoritative = "server-not-authoritative"
	serverOther            = "server-other"
	serverNS               = "server-ns"
	serverLetters          = "server-letters"
	serverEDNS             = "server-edns"

	// Each address of the secondaries, which transfer the zone.
	secondaryFine             = "secondary"
	secondarySilent           = "secondary-silent"
	secondaryNotAuthoritative = "secondary-not-authoritative"
	secondaryLags             = "secondary-lags"
	secondaryAhead            = "secondary-ahead"
	secondaryKeys             = "secondary-keys"

	// Each address of Signpost itself, where secondaries are compared with it.
	primaryFine    = "primary"
	primarySilent  = "primary-silent"
	primaryUnknown = "primary-unknown"
)
