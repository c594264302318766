"""Everything that speaks to AWS. No other package imports boto3; `AWS_ENDPOINT_URL` is the one switch to an emulator."""
