package tenancy

import "strings"

// roleLetters are the characters of a role's name.
const roleLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=,.@-"

// RoleARN returns the ARN that a credential of kind iam is stored under, given the
// ARN of a role or of one of its sessions: "arn:aws:iam::<account>:role/<name>",
// without the role's path, which sessions do not show. "" if arn is neither.
func RoleARN(arn string) string {
	parts := strings.Split(arn, ":")
	if len(parts) != 6 || parts[0] != "arn" || !awsPartition(parts[1]) || parts[3] != "" || len(parts[4]) != 12 || strings.Trim(parts[4], "0123456789") != "" {
		return ""
	}
	var name string
	switch path := strings.Split(parts[5], "/"); {
	case parts[2] == "iam" && path[0] == "role" && len(path) > 1:
		name = path[len(path)-1]
	case parts[2] == "sts" && path[0] == "assumed-role" && len(path) == 3:
		name = path[1]
	}
	if name == "" || len(name) > 64 || strings.Trim(name, roleLetters) != "" {
		return ""
	}
	return "arn:" + parts[1] + ":iam::" + parts[4] + ":role/" + name
}

// awsPartition reports whether a string is a partition's name, such as aws or
// aws-cn.
func awsPartition(text string) bool {
	return strings.HasPrefix(text, "aws") && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz-") == ""
}
