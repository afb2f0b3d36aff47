"""Fine-tuning: data sets with their losses, batches, and the training itself."""
