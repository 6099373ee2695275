package functions_test

import (
	"regexp"
	"strings"
	"testing"
)

var (
	alarmText = regexp.MustCompile(`(?m)^  (\w+):\n    Type: AWS::CloudWatch::Alarm\n    Condition: \w+\n    Properties:\n      AlarmDescription: "(.+)"\n((?: {6,}.*\n)+)`)
	firstStep = regexp.MustCompile("^\n\n```sh\n(?s:.+?)\n```\n\n[A-Z`].+\n")
)

// docs/operating.md has a heading for every alarm of the template, followed by its
// description, the first command to run, and what to do. It says how an alarm on a
// metric of AWS can be seen; TestMetrics_AreMadeOfWhatIsLogged computes the others.
func TestAlarms_AreListed(t *testing.T) {
	t.Parallel()
	template, page := read(t, "../template.yaml"), read(t, "../docs/operating.md")
	alarms := alarmText.FindAllStringSubmatch(template, -1)
	if n := strings.Count(template, "AWS::CloudWatch::Alarm\n"); len(alarms) != n {
		t.Fatalf("%d of %d alarms have an AlarmDescription first", len(alarms), n)
	}
	for _, alarm := range alarms {
		_, section, found := strings.Cut(page, "### `"+alarm[1]+"`\n\n"+alarm[2])
		section, _, _ = strings.Cut(section, "\n### ")
		switch {
		case !found:
			t.Errorf("docs/operating.md lacks %s, followed by\n%s", alarm[1], alarm[2])
		case !firstStep.MatchString(section):
			t.Errorf("docs/operating.md does not say which command to run first when %s is raised, and what to do", alarm[1])
		case strings.Contains(alarm[3], "AWS/") != strings.Contains(section, "\nTo see it"):
			t.Errorf("docs/operating.md must say how %s can be seen if, and only if, it watches a metric of AWS", alarm[1])
		}
	}
	if n := strings.Count(page, "Alarm`\n\n"); n != len(alarms) {
		t.Errorf("docs/operating.md lists %d alarms, the template %d", n, len(alarms))
	}
}
