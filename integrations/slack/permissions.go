package slack

import "github.com/stanch-soar/stanch/integrations"

// scopeEmail is needed only with match_email.
const scopeEmail = "users:read.email"

// permissions are the scopes of the bot token. The manifest, the check of the
// installed app and the documents are all made of this list.
func permissions() []integrations.Permission {
	return []integrations.Permission{
		{Name: "chat:write", Why: "posts cards and notices, keeps them up to date, and answers people so that they alone see it"},
		{Name: "channels:read", Why: "finds public channels by name, and shows whether the app is in them"},
		{Name: "groups:read", Why: "the same for private channels that the app was invited to"},
		{Name: "im:write", Why: "opens the direct conversation with a person whom a playbook names"},
		{Name: "channels:history", Why: "after a lost answer, sees whether a message was posted, so that it is not posted twice"},
		{Name: "groups:history", Why: "the same in private channels that the app was invited to"},
		{Name: "im:history", Why: "the same in the app's own direct conversations"},
		{Name: "metadata.message:read", Why: "recognises its own messages by the digest that they carry"},
		{Name: "users:read", Why: "tells people from bots, guests, deactivated accounts and those of other workspaces"},
		{Name: "usergroups:read", Why: "tells who is in a group of approvers when they answer"},
		{Name: "files:write", Why: "puts the chart of the egress under a card"},
		{Name: scopeEmail, Why: "only with match_email: matches people by the address that Slack has confirmed"},
	}
}

// scopesFor are the scopes that a configuration really needs.
func scopesFor(matchEmail bool) []integrations.Permission {
	var list []integrations.Permission
	for _, p := range permissions() {
		if p.Name != scopeEmail || matchEmail {
			list = append(list, p)
		}
	}
	return list
}
