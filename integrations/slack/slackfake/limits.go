package slackfake

// What Slack's documents allow, in characters and elements.
const (
	maxMessageBlocks = 50
	maxViewBlocks    = 100
	// maxText is where a message's text is refused. Slack advises 4,000.
	maxText = 40_000
	// maxBlocksText is no documented limit: a message with more characters of
	// blocks, written as JSON, is refused with msg_blocks_too_long.
	maxBlocksText = 13_200
	maxAltText    = 1000

	maxSectionText = 3000
	maxHeaderText  = 150
	maxActions     = 25
	maxContext     = 10
	maxContextText = 3000
	maxBlockID     = 255
	maxActionID    = 255

	maxButtonText  = 75
	maxButtonValue = 2000
	maxURL         = 3000
	maxLabel       = 75

	maxConfirmTitle  = 100
	maxConfirmText   = 300
	maxConfirmButton = 30

	maxInputLabel  = 2000
	maxInputHint   = 2000
	maxInputLength = 3000
	maxPlaceholder = 150

	maxViewTitle       = 24
	maxPrivateMetadata = 3000
	maxCallbackID      = 255
	maxViewBytes       = 250 * 1000
)
