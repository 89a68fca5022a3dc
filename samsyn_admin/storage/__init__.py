"""Files that are uploaded and made: in a folder, or in an S3 bucket."""
