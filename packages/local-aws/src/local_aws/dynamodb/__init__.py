"""DynamoDB: one operation at a time, whole transactions, and what is refused."""
