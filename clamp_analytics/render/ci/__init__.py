"""Reports for the tools of CI: annotations of GitHub, JUnit XML and SARIF."""
